// Package arch holds the tests that keep the house in shape: who may import
// whom (DESIGN §3), how long a file or function may grow, and what must be
// documented (docs/ARCHITECTURE.md). It has no code of its own.
package arch

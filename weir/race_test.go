//go:build race

package weir_test

// raced tells that the race detector slows everything down.
const raced = true

package classify

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/text/language"

	"github.com/weir-gateway/weir/call"
)

// hopByHop headers belong to one connection (RFC 9110 §7.6.1) and are not
// forwarded, nor is what Weir itself consumes.
var hopByHop = map[string]bool{
	"Connection": true, "Proxy-Connection": true, "Keep-Alive": true,
	"Proxy-Authenticate": true, "Proxy-Authorization": true, "Te": true,
	"Trailer": true, "Transfer-Encoding": true, "Upgrade": true,
	"Content-Length": true, "Host": true, "Expect": true,
}

// forwardable copies the headers that the upstream may see: all but those of
// the connection and those of Weir. Unknown ones pass.
func forwardable(in http.Header) http.Header {
	out := make(http.Header, len(in))
	for name, values := range in {
		if !hopByHop[name] && !strings.HasPrefix(name, "Weir-") {
			out[name] = values
		}
	}
	for _, list := range in["Connection"] {
		for name := range strings.SplitSeq(list, ",") {
			delete(out, textproto.CanonicalMIMEHeaderKey(textproto.TrimString(name)))
		}
	}
	return out
}

// oauthPrefix marks tokens of consumer subscriptions. Their terms do not allow
// other products to use them, so Weir neither forwards nor pools them.
const oauthPrefix = "sk-ant-oat"

// Client is a holder of a token of the gateway's own.
type Client struct {
	Name   string // unique
	Tenant string // whose share it draws on

	Models []string // patterns of the models that it may use; nil: any
}

// Clients maps the tokens of a gateway's own, by hash, to their holders.
type Clients map[[sha256.Size]byte]Client

// Add lets the holder of token in.
func (c Clients) Add(token string, client Client) { c[HashToken(token)] = client }

// HashToken is how [Clients] knows a token.
func HashToken(token string) [sha256.Size]byte { return sha256.Sum256([]byte(token)) }

// credential reads the caller's key from either header. x-api-key wins, as in
// the official SDKs. Where the gateway has clients, it must be the token of
// one, whose tenant is returned.
func (r *Room) credential(c *call.Call, clients Clients, h http.Header) (tenant string, err error) {
	bearer, _ := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	key := h.Get("X-Api-Key")
	if IsOAuth(key) || IsOAuth(bearer) {
		return "", &call.Refusal{Reason: call.OAuthToken}
	}
	secret := call.NewSecret(cmp.Or(key, bearer))
	if !secret.Empty() {
		print := Fingerprint(secret)
		c.Credential = call.Key{Name: print, Print: print, Secret: secret, Bearer: key == ""}
		c.Owner = print
	}
	if r.cfg.Own != "" && subtle.ConstantTimeCompare([]byte(key), []byte(r.cfg.Own)) == 1 {
		return "", nil
	}
	if clients == nil {
		return "", nil
	}
	for _, token := range []string{key, bearer} {
		if client, ok := clients[HashToken(token)]; ok && token != "" {
			c.Client, c.Owner = client.Name, client.Tenant
			c.Limit(client.Models)
			return client.Tenant, nil
		}
	}
	return "", &call.Refusal{Reason: call.BadToken}
}

// Fingerprint names a credential without giving it away: "key-" and the first
// 8 bytes of its SHA-256.
func Fingerprint(s call.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return "key-" + hex.EncodeToString(sum[:8])
}

// firstName is the tenant (DESIGN §2.3): the first of the names that is given.
func firstName(names ...string) string {
	name := cmp.Or(names...)
	return cmp.Or(name[:min(len(name), maxTenant)], "anonymous")
}

// maxTenant bounds what a caller can make Weir remember.
const maxTenant = 128

// languageOf picks English or Chinese from weir-lang, else Accept-Language.
func languageOf(h http.Header) string {
	switch h.Get("Weir-Lang") {
	case "en", "zh":
		return h.Get("Weir-Lang")
	}
	accept := h.Get("Accept-Language")
	if accept == "" {
		return "en"
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return "en"
	}
	if base, _ := tags[0].Base(); base.String() == "zh" {
		return "zh"
	}
	return "en"
}

// maxTraceParent bounds what is kept of a traceparent; version 00 has 55
// characters (W3C Trace Context).
const maxTraceParent = 128

// traceParent is the caller's place in a trace, which goes on to the upstream
// unchanged, too.
func traceParent(h http.Header) string {
	if v := h.Get("Traceparent"); len(v) <= maxTraceParent {
		return v
	}
	return ""
}

func requestID() string { return "weir_" + rand.Text() }

func malformed(format string, args ...any) *call.Refusal {
	return &call.Refusal{Reason: call.Malformed, Detail: fmt.Sprintf(format, args...)}
}

// IsOAuth reports whether a credential is a consumer-subscription token.
func IsOAuth(secret string) bool { return strings.HasPrefix(secret, oauthPrefix) }

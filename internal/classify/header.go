package classify

import (
	"crypto/rand"
	"crypto/sha256"
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

// credential reads the caller's key from either header. x-api-key wins, as in
// the official SDKs.
func credential(c *call.Call, h http.Header) error {
	bearer, isBearer := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	key := h.Get("X-Api-Key")
	if IsOAuth(key) || IsOAuth(bearer) {
		return &call.Refusal{Reason: call.OAuthToken}
	}
	switch {
	case key != "":
		c.Credential = call.Key{Secret: call.NewSecret(key)}
	case isBearer && bearer != "":
		c.Credential = call.Key{Secret: call.NewSecret(bearer), Bearer: true}
	default:
		return nil
	}
	c.Credential.Print = Fingerprint(c.Credential.Secret)
	c.Credential.Name = c.Credential.Print
	return nil
}

// Fingerprint names a credential without giving it away: "key-" and the first
// 8 bytes of its SHA-256.
func Fingerprint(s call.Secret) string {
	sum := sha256.Sum256([]byte(s.Reveal()))
	return "key-" + hex.EncodeToString(sum[:8])
}

// tenant is who shares quota fairly with whom (DESIGN §2.3).
func tenant(c *call.Call, h http.Header, user string) string {
	for _, name := range []string{h.Get("Weir-Tenant"), user, c.Credential.Print} {
		if name != "" {
			return name[:min(len(name), maxTenant)]
		}
	}
	return "anonymous"
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

func requestID() string { return "weir_" + rand.Text() }

func malformed(format string, args ...any) *call.Refusal {
	return &call.Refusal{Reason: call.Malformed, Detail: fmt.Sprintf(format, args...)}
}

// IsOAuth reports whether a credential is a consumer-subscription token.
func IsOAuth(secret string) bool { return strings.HasPrefix(secret, oauthPrefix) }

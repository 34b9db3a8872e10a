package refusals

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/weir-gateway/weir/internal/memnet"
)

// Place is where the servers of a house listen. It returns a listener, the way
// to it and its address.
type Place func() (l net.Listener, way *http.Transport, address string, err error)

// Memory lets a house run inside a testing/synctest bubble.
func Memory() (net.Listener, *http.Transport, string, error) {
	l := memnet.Listen()
	return l, l.Transport(), "mem", nil
}

// Loopback lets clients of any language reach a house.
func Loopback() (net.Listener, *http.Transport, string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, "", err
	}
	return l, &http.Transport{MaxIdleConnsPerHost: 16}, l.Addr().String(), nil
}

// served is a running server, and the way to it.
type served struct {
	server  *http.Server
	way     *http.Transport
	address string
	running sync.WaitGroup
}

// serve runs handler at a place until it is closed. With a certificate it
// speaks TLS.
func serve(at Place, handler http.Handler, cert *tls.Certificate) (*served, error) {
	l, way, address, err := at()
	if err != nil {
		return nil, err
	}
	way.DisableCompression = true // bodies must pass as they are
	if cert != nil {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{*cert}})
	}
	s := &served{way: way, address: address}
	// Streams are broken off on purpose here: the server's log is of no use.
	s.server = &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	s.running.Go(func() { _ = s.server.Serve(l) }) // it ends by close
	return s, nil
}

func (s *served) close() {
	s.way.CloseIdleConnections()
	_ = s.server.Close()
	s.running.Wait()
}

// selfSigned is a certificate that nobody trusts.
func selfSigned() (*tls.Certificate, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"mem"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, nil
}

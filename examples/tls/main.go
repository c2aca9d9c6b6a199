// A TLS site. Its certificate comes from files of the machine, or is made at the start.
//
//	burrow run -p 8443:8443 --add cert.pem:/cert.pem --add key.pem:/key.pem ./examples/tls -cert /cert.pem -key /key.pem
//	curl -k https://127.0.0.1:8443/
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"time"
)

func main() {
	address := flag.String("addr", ":8443", "where to listen")
	certFile := flag.String("cert", "", "certificate, PEM; without one, a fresh one signed by itself")
	keyFile := flag.String("key", "", "its key, PEM")
	flag.Parse()
	certificate, err := load(*certFile, *keyFile)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("tls: listening on", listener.Addr())
	server := http.Server{
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "%s over %s\n", r.Proto, tls.VersionName(r.TLS.Version))
		}),
	}
	log.Fatal(server.ServeTLS(listener, "", ""))
}

func load(certFile, keyFile string) (tls.Certificate, error) {
	if certFile != "" {
		return tls.LoadX509KeyPair(certFile, keyFile)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(30 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// What bench-net talks to: one program that serves every row, natively and in a VM.
//
//	8080 HTTP "hello"        8443 the same over TLS (its own certificate)
//	9001 takes a TCP stream  9002 sends one until the client closes
//	9003 UDP echo            9004 TCP echo
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"runtime"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello, world\n")
	})
	http.HandleFunc("/memory", func(w http.ResponseWriter, r *http.Request) {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		fmt.Fprintln(w, stats.Sys)
	})
	go serveTCP(":9001", func(connection net.Conn) { io.Copy(io.Discard, connection) })
	go serveTCP(":9002", send)
	go serveTCP(":9004", echo)
	go serveUDP(":9003")
	go func() {
		server := http.Server{Addr: ":8443", TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate()}}, ErrorLog: log.New(io.Discard, "", 0)}
		log.Fatal(server.ListenAndServeTLS("", ""))
	}()
	listener, err := net.Listen("tcp", ":8080")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ready")
	log.Fatal(http.Serve(listener, nil))
}

func serveTCP(address string, serve func(net.Conn)) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		log.Fatal(err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Print(err) // too many descriptors, say: that row fails, the others go on
			time.Sleep(10 * time.Millisecond)
			continue
		}
		go func() {
			defer connection.Close()
			serve(connection)
		}()
	}
}

// echo does not use io.Copy: that splices, and a pipe for each connection is two more
// descriptors, of which thousands of connections leave too few.
func echo(connection net.Conn) {
	block := make([]byte, 512)
	for {
		n, err := connection.Read(block)
		if err != nil {
			return
		}
		if _, err := connection.Write(block[:n]); err != nil {
			return
		}
	}
}

func send(connection net.Conn) {
	block := make([]byte, 128<<10)
	for {
		if _, err := connection.Write(block); err != nil {
			return
		}
	}
}

func serveUDP(address string) {
	socket, err := net.ListenPacket("udp", address)
	if err != nil {
		log.Fatal(err)
	}
	datagram := make([]byte, 2048)
	for {
		n, from, err := socket.ReadFrom(datagram)
		if err != nil {
			log.Fatal(err)
		}
		socket.WriteTo(datagram[:n], from)
	}
}

func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"bench"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

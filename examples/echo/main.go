// Sends back what it is sent, over TCP and UDP.
//
//	burrow run -p 7000:7000 -p 7000:7000/udp ./examples/echo
//	echo hello | nc -N 127.0.0.1 7000
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
)

func main() {
	address := flag.String("addr", ":7000", "where to listen")
	flag.Parse()
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	datagrams, err := net.ListenPacket("udp", *address)
	if err != nil {
		log.Fatal(err)
	}
	go echoDatagrams(datagrams)
	fmt.Println("echo: listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			if _, err := io.Copy(connection, connection); err != nil {
				log.Print(err)
			}
		}()
	}
}

func echoDatagrams(socket net.PacketConn) {
	buffer := make([]byte, 65536)
	for {
		n, from, err := socket.ReadFrom(buffer)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := socket.WriteTo(buffer[:n], from); err != nil {
			log.Print(err)
		}
	}
}

// A WebSocket server (golang.org/x/net/websocket) that sends each message back in capitals;
// with -ask, the client to it.
//
//	burrow run -p 8081:8081 ./examples/websocket
//	go run . -ask 127.0.0.1:8081 hello
package main

import (
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"strings"

	"golang.org/x/net/websocket"
)

func main() {
	address := flag.String("addr", ":8081", "where to listen")
	server := flag.String("ask", "", "be the client: send the arguments to this server")
	flag.Parse()
	if *server != "" {
		ask(*server, flag.Args())
		return
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("websocket: listening on", listener.Addr())
	log.Fatal(http.Serve(listener, websocket.Handler(serve)))
}

func serve(connection *websocket.Conn) {
	for {
		var message string
		if err := websocket.Message.Receive(connection, &message); err != nil {
			return // the client has gone
		}
		if err := websocket.Message.Send(connection, strings.ToUpper(message)); err != nil {
			return
		}
	}
}

func ask(server string, messages []string) {
	connection, err := websocket.Dial("ws://"+server+"/", "", "http://"+server+"/")
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	for _, message := range messages {
		if err := websocket.Message.Send(connection, message); err != nil {
			log.Fatal(err)
		}
		var answer string
		if err := websocket.Message.Receive(connection, &answer); err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer)
	}
}

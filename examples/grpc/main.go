// A gRPC server with the standard health service; with -ask, the client to it.
//
//	burrow run -p 50051:50051 ./examples/grpc
//	go run . -ask 127.0.0.1:50051
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func main() {
	address := flag.String("addr", ":50051", "where to listen")
	server := flag.String("ask", "", "be the client: ask this server whether it serves")
	flag.Parse()
	if *server != "" {
		ask(*server)
		return
	}
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	service := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(service, health.NewServer())
	fmt.Println("grpc: listening on", listener.Addr())
	log.Fatal(service.Serve(listener))
}

func ask(server string) {
	connection, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	deadline, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	answer, err := grpc_health_v1.NewHealthClient(connection).Check(deadline, &grpc_health_v1.HealthCheckRequest{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Status)
}

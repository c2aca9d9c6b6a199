// An SSH server in pure Go (golang.org/x/crypto/ssh): every user may log in with the password
// "burrow" and is told about the machine. Its host key is made at the start.
//
//	burrow run -p 2222:2222 ./examples/ssh
//	ssh -p 2222 guest@127.0.0.1
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"net"
	"runtime"

	"golang.org/x/crypto/ssh"
)

func main() {
	address := flag.String("addr", ":2222", "where to listen")
	flag.Parse()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		log.Fatal(err)
	}
	config := &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != "burrow" {
			return nil, fmt.Errorf("wrong password")
		}
		return nil, nil
	}}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", *address)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("ssh: listening on", listener.Addr())
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(connection, config)
	}
}

func serve(connection net.Conn, config *ssh.ServerConfig) {
	defer connection.Close()
	session, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		log.Print(err)
		return
	}
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "only sessions")
			continue
		}
		channel, requests, err := offered.Accept()
		if err != nil {
			log.Print(err)
			return
		}
		go answer(session.User(), channel, requests)
	}
}

// answer tells about the machine for a shell or any command, then ends the session.
func answer(user string, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer channel.Close()
	for request := range requests {
		isShell := request.Type == "shell" || request.Type == "exec"
		if request.WantReply {
			request.Reply(isShell || request.Type == "pty-req" || request.Type == "env", nil)
		}
		if isShell {
			fmt.Fprintf(channel, "hello %s: %s/%s, %d vcpus, %s\r\n", user, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
			channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{0}))
			return
		}
	}
}

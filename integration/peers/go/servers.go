package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
)

// Servers, for the client of ../c/load.c. They serve until the process is killed.

func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	return listener
}

// Connections have TCP_NODELAY set from the start.
func serveEcho(n int) sample {
	listener := listen()
	for {
		connection, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer connection.Close()
			buffer := make([]byte, n)
			for {
				size, err := connection.Read(buffer)
				if err != nil {
					return
				}
				if _, err := connection.Write(buffer[:size]); err != nil {
					return
				}
			}
		}()
	}
}

func serveHTTP(int) sample {
	handler := func(response http.ResponseWriter, _ *http.Request) {
		response.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(response, "Hello, World!\n")
	}
	log.Fatal(http.Serve(listen(), http.HandlerFunc(handler)))
	return sample{}
}

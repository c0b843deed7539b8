// SPDX-License-Identifier: Apache-2.0

// Command grpc_gateway is what anybody gets who runs grpc-gateway's plugins over the contract: the generated handlers on a mux with its defaults.
// The test writes services.go beside it, which lists the generated handlers of all services, and the generated code in trunkline/.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails" // the details of a status, so that they can be written as JSON
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func main() {
	target := flag.String("grpc", "", "where the gateway serves gRPC, as HOST:PORT")
	flag.Parse()
	mux := runtime.NewServeMux()
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	for _, register := range services {
		if err := register(context.Background(), mux, *target, options); err != nil {
			log.Fatal(err)
		}
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	log.Fatal(http.Serve(listener, mux))
}

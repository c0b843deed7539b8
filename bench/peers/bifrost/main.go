// SPDX-License-Identifier: Apache-2.0

// Command bifrost serves Bifrost's core behind the smallest front that can be: POST /v1/chat/completions, a key, whole answers and streams.
//
// Bifrost's own HTTP front, the module transports, brings a database, a price list and a user interface; only its core is fetched here. What is
// measured is therefore a lower bound of what Bifrost costs: no virtual keys, no governance, no log of requests, no metrics.
package main

import (
	"bufio"
	"context"
	"crypto/subtle"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	bifrost "github.com/maximhq/bifrost/core"
	"github.com/maximhq/bifrost/core/schemas"
	"github.com/valyala/fasthttp"
)

// account is one provider with one key, which is all that Bifrost is told.
type account struct {
	upstream string
}

func (a *account) GetConfiguredProviders() ([]schemas.ModelProvider, error) {
	return []schemas.ModelProvider{schemas.OpenAI}, nil
}

func (a *account) GetKeysForProvider(context.Context, schemas.ModelProvider) ([]schemas.Key, error) {
	return []schemas.Key{{ID: "bench", Name: "bench", Value: *schemas.NewSecretVar("sk-upstream"), Models: schemas.WhiteList{"*"}, Weight: 1}}, nil
}

func (a *account) GetConfigForProvider(schemas.ModelProvider) (*schemas.ProviderConfig, error) {
	return &schemas.ProviderConfig{
		NetworkConfig:            schemas.NetworkConfig{BaseURL: a.upstream, DefaultRequestTimeoutInSeconds: 300, StreamIdleTimeoutInSeconds: 3600, AllowPrivateNetwork: true},
		ConcurrencyAndBufferSize: schemas.DefaultConcurrencyAndBufferSize,
	}, nil
}

// front answers OpenAI's chat completions with what the core brings.
type front struct {
	client *bifrost.Bifrost
	key    []byte
}

func (f *front) handle(ctx *fasthttp.RequestCtx) {
	if string(ctx.Path()) != "/v1/chat/completions" {
		ctx.Error("no such path", fasthttp.StatusNotFound)
		return
	}
	if subtle.ConstantTimeCompare(ctx.Request.Header.Peek(fasthttp.HeaderAuthorization), f.key) != 1 {
		ctx.Error("no such key", fasthttp.StatusUnauthorized)
		return
	}
	// Three readings of the body, as in Bifrost's own front: ChatParameters has a decoder of its own, which an outer struct cannot hold.
	var known struct {
		Model    string                `json:"model"`
		Stream   bool                  `json:"stream"`
		Messages []schemas.ChatMessage `json:"messages"`
	}
	params := &schemas.ChatParameters{}
	if err := schemas.Unmarshal(ctx.PostBody(), &known); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	if err := schemas.Unmarshal(ctx.PostBody(), params); err != nil {
		ctx.Error(err.Error(), fasthttp.StatusBadRequest)
		return
	}
	provider, model := schemas.ParseModelString(known.Model, schemas.OpenAI)
	request := &schemas.BifrostChatRequest{Provider: provider, Model: model, Input: known.Messages, Params: params}
	if known.Stream {
		f.stream(ctx, request)
		return
	}
	answer, failure := f.client.ChatCompletionRequest(schemas.NewBifrostContext(context.Background(), schemas.NoDeadline), request)
	if failure != nil {
		fail(ctx, failure)
		return
	}
	body, err := schemas.MarshalSorted(answer)
	if err != nil {
		ctx.Error(err.Error(), fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(body)
}

// stream writes every chunk as an event; it flushes when no further chunk waits, so that a burst is not one write a chunk.
func (f *front) stream(ctx *fasthttp.RequestCtx, request *schemas.BifrostChatRequest) {
	calling, cancel := schemas.NewBifrostContextWithCancel(context.Background())
	chunks, failure := f.client.ChatCompletionStreamRequest(calling, request)
	if failure != nil {
		cancel()
		fail(ctx, failure)
		return
	}
	ctx.SetContentType("text/event-stream")
	ctx.SetBodyStreamWriter(func(out *bufio.Writer) {
		// The core goes on writing to the channel until it sees the end of its context.
		defer func() {
			cancel()
			for range chunks {
			}
		}()
		for chunk := range chunks {
			event, err := schemas.MarshalSorted(chunk)
			if err != nil {
				return
			}
			fmt.Fprintf(out, "data: %s\n\n", event)
			if len(chunks) == 0 && out.Flush() != nil {
				return
			}
		}
		out.WriteString("data: [DONE]\n\n")
		out.Flush()
	})
}

func fail(ctx *fasthttp.RequestCtx, failure *schemas.BifrostError) {
	status := fasthttp.StatusBadGateway
	if failure.StatusCode != nil {
		status = *failure.StatusCode
	}
	text := "the core gave no reason"
	if failure.Error != nil {
		text = failure.Error.Message
	}
	ctx.Error(text, status)
}

func run() error {
	upstream := flag.String("upstream", "", "where the provider is, such as http://127.0.0.1:8000")
	key := flag.String("key", "", "the key that callers must show")
	flag.Parse()
	stopped, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()

	client, err := bifrost.Init(stopped, schemas.BifrostConfig{
		Account:         &account{upstream: *upstream},
		InitialPoolSize: schemas.DefaultInitialPoolSize,
		Logger:          bifrost.NewDefaultLogger(schemas.LogLevelError),
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on %d\n", listener.Addr().(*net.TCPAddr).Port)
	server := &fasthttp.Server{Handler: (&front{client: client, key: []byte("Bearer " + *key)}).handle}
	go func() {
		<-stopped.Done()
		listener.Close()
	}()
	return server.Serve(listener)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

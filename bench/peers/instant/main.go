// Answers every GET with one small ConfigMap, at once: what is left is the client.
package main

import (
	"log"
	"net/http"
	"os"
)

const body = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"small","namespace":"bench","uid":"4a1b9a2c-5c5e-4a53-9b0f-0f6f3c1f2a77","resourceVersion":"212","creationTimestamp":"2026-01-01T00:00:00Z"},"data":{"colour":"blue"}}`

func answer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write([]byte(body))
}

func main() {
	log.Fatal(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], http.HandlerFunc(answer)))
}

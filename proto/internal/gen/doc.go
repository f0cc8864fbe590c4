// Command gen makes the Go code, the REST gateway and the OpenAPI files of proto/ from the .proto files.
//
// It needs neither protoc nor buf: the files are compiled in this process, and the plugins are the versions that
// go.mod pins as tools. Every plugin is asked once, for all files together.
//
//	go run ./proto/internal/gen             # writes next to the .proto files
//	go run ./proto/internal/gen -out DIR    # writes below DIR and leaves the tree alone
//	go run ./proto/internal/gen -api FILE   # also the document of all methods
//
// It must never know what a message means; the names and numbers are in the .proto files, the REST paths in
// proto/rest.yaml.
package main

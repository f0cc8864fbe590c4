package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("root", "proto", "directory that holds the .proto files, rest.yaml and openapi.yaml")
	out := flag.String("out", "", "directory to write to (default: the same as -root)")
	api := flag.String("api", "", "file to write the document of all methods to")
	rpc := flag.String("rpc", "rpc", "directory of the code that answers, for that document")
	flag.Parse()
	if *out == "" {
		*out = *root
	}
	err := run(context.Background(), *root, *out)
	if err == nil && *api != "" {
		err = writeAPI(context.Background(), *root, *rpc, *api)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// writeAPI writes the document of all methods.
func writeAPI(ctx context.Context, root, rpc, path string) error {
	text, err := makeAPI(ctx, root, rpc)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write document: %w", err)
	}
	return nil
}

func makeAPI(ctx context.Context, root, rpc string) (string, error) {
	names, err := protoFiles(root)
	if err != nil {
		return "", err
	}
	files, err := compile(ctx, root, names)
	if err != nil {
		return "", err
	}
	return apiDoc(files, filepath.Join(root, "rest.yaml"), rpc)
}

// run generates everything below root and writes it below out.
func run(ctx context.Context, root, out string) error {
	files, err := generate(ctx, root)
	if err != nil {
		return err
	}
	for _, f := range files {
		path := filepath.Join(out, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
		if err := os.WriteFile(path, []byte(f.content), 0o644); err != nil {
			return fmt.Errorf("write generated file: %w", err)
		}
	}
	return nil
}

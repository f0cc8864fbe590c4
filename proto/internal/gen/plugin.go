package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// A plugin is a protoc plugin that go.mod pins as a tool, and the parameter it is given.
type plugin struct{ tool, parameter string }

// A file is one generated file; its name is relative to the output directory.
type file struct{ name, content string }

// plugins lists what is run. In dir, rest.yaml maps methods to REST paths and openapi.yaml holds the head of the OpenAPI
// file.
func plugins(dir string) []plugin {
	rules := "grpc_api_configuration=" + filepath.Join(dir, "rest.yaml")
	head := "openapi_configuration=" + filepath.Join(dir, "openapi.yaml")
	return []plugin{
		{"protoc-gen-go", "paths=source_relative"},
		{"protoc-gen-go-grpc", "paths=source_relative"},
		{"protoc-gen-grpc-gateway", "paths=source_relative," + rules},
		{"protoc-gen-openapiv2", "allow_merge=true,merge_file_name=fulgur,json_names_for_fields=false," + rules + "," + head},
	}
}

// generate compiles what is below root and returns every file that the plugins make of it.
func generate(ctx context.Context, root string) ([]file, error) {
	names, err := protoFiles(root)
	if err != nil {
		return nil, err
	}
	descriptors, err := compile(ctx, root, names)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		return nil, fmt.Errorf("locate %s: %w", root, err)
	}

	todo := plugins(dir)
	made, errs := make([][]file, len(todo)), make([]error, len(todo))
	var wg sync.WaitGroup
	for i, p := range todo {
		wg.Go(func() { made[i], errs[i] = p.run(ctx, names, descriptors) })
	}
	wg.Wait()

	var all []file
	for i := range todo {
		if errs[i] != nil {
			return nil, fmt.Errorf("run %s: %w", todo[i].tool, errs[i])
		}
		all = append(all, made[i]...)
	}
	return all, nil
}

// run asks the plugin for the named files.
func (p plugin) run(ctx context.Context, names []string, descriptors []*descriptorpb.FileDescriptorProto) ([]file, error) {
	request, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: names,
		Parameter:      &p.parameter,
		ProtoFile:      descriptors,
	})
	if err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	cmd := exec.CommandContext(ctx, "go", "tool", p.tool)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(request), &stderr
	answer, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, stderr.String())
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(answer, &response); err != nil {
		return nil, fmt.Errorf("decode answer: %w", err)
	}
	if response.Error != nil {
		return nil, fmt.Errorf("plugin refuses: %s", response.GetError())
	}
	var files []file
	for _, f := range response.File {
		files = append(files, file{f.GetName(), f.GetContent()})
	}
	return files, nil
}

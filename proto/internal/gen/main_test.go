package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const protoRoot = "../../../proto"

// TestCommittedCodeIsCurrent generates everything anew and compares it with what is committed, both ways.
func TestCommittedCodeIsCurrent(t *testing.T) {
	files, err := generate(t.Context(), protoRoot)
	require.NoError(t, err)

	fresh := make(map[string]bool)
	for _, f := range files {
		fresh[f.name] = true
		have, err := os.ReadFile(filepath.Join(protoRoot, filepath.FromSlash(f.name)))
		require.NoError(t, err, "a generated file is missing: run make proto")
		require.True(t, string(have) == f.content, "%s is out of date: run make proto", f.name)
	}

	err = fs.WalkDir(os.DirFS(protoRoot), ".", func(path string, d fs.DirEntry, err error) error {
		generated := strings.HasSuffix(path, ".pb.go") || strings.HasSuffix(path, ".pb.gw.go") || strings.HasSuffix(path, ".swagger.json")
		if generated && !fresh[path] {
			t.Errorf("%s is made from nothing: remove it", path)
		}
		return err
	})
	require.NoError(t, err)
}

// TestDocumentIsCurrent: docs/api.md tells what the .proto files and the code say.
func TestDocumentIsCurrent(t *testing.T) {
	text, err := makeAPI(t.Context(), protoRoot, "../../../rpc")
	require.NoError(t, err)
	have, err := os.ReadFile("../../../docs/api.md")
	require.NoError(t, err)
	require.True(t, string(have) == text, "docs/api.md is out of date: run make proto")
	require.Regexp(t, "\\| GetInfo \\| `GET /v1/getinfo` \\| (works|partly)", text)
	require.Contains(t, text, "| ListTowers |  | later |")
}

// TestRunWritesBelowOut checks that -out leaves the source directory alone and makes the directories it needs.
func TestRunWritesBelowOut(t *testing.T) {
	root, out := t.TempDir(), filepath.Join(t.TempDir(), "made")
	proto := "syntax = \"proto3\";\npackage a;\noption go_package = \"example.test/a\";\n// Hello.\nmessage M { string s = 1; }\n"
	require.NoError(t, os.MkdirAll(filepath.Join(root, "a"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(root, "a", "a.proto"), []byte(proto), 0o600))
	rules, head := "type: google.api.Service\nconfig_version: 3\n", "openapiOptions: {}\n"
	require.NoError(t, os.WriteFile(filepath.Join(root, "rest.yaml"), []byte(rules), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(root, "openapi.yaml"), []byte(head), 0o600))

	require.NoError(t, run(t.Context(), root, out))
	code, err := os.ReadFile(filepath.Join(out, "a", "a.pb.go"))
	require.NoError(t, err)
	require.Contains(t, string(code), "// Hello.\ntype M struct", "comments reach the generated code")
	require.NoFileExists(t, filepath.Join(root, "a", "a.pb.go"))
}

// TestErrorsNameTheFile checks that a mistake in a .proto file is reported with its place.
func TestErrorsNameTheFile(t *testing.T) {
	root := t.TempDir()
	_, err := generate(t.Context(), root)
	require.ErrorContains(t, err, "no .proto file below")

	require.NoError(t, os.WriteFile(filepath.Join(root, "bad.proto"), []byte("syntax = \"proto3\";\nmessage M { Missing m = 1; }\n"), 0o600))
	_, err = generate(t.Context(), root)
	require.ErrorContains(t, err, "bad.proto:2")
}

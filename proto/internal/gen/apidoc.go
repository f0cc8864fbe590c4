package main

import (
	_ "embed"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/protobuf/types/descriptorpb"
)

// lnrpcMethods are the methods that lnd has: facts of the interface.
//
//go:embed lnrpc-methods.txt
var lnrpcMethods string

// examples are the document's last part. What nodes answer in it is written by a test of itest, with -examples.rewrite.
//
//go:embed examples.md
var examples string

// later are the services that come in a piece of work of their own.
var later = []string{
	"autopilotrpc.Autopilot", "devrpc.Dev", "neutrinorpc.NeutrinoKit", "watchonlyrpc.WatchOnly", "watchtowerrpc.Watchtower", "wtclientrpc.WatchtowerClient",
}

// An api is what the document tells of: the methods of the .proto files, and what the code of rpc does with the fields of
// their messages.
type api struct {
	methods  map[string]method
	rest     map[string]string
	messages map[string]*descriptorpb.DescriptorProto // by name, "lnrpc.Channel"
	code     code
}

type method struct{ in, out string }

// code is what Go code names: the fields that it sets, by message ("Channel.Capacity") or by name alone where the code
// does not say of what ("Capacity"), and those that it reads, by name.
type code struct {
	sets, assigns, reads map[string]bool
	aliases              map[string]string
}

// apiDoc makes docs/api.md. rpc is the directory of the code that answers.
func apiDoc(files []*descriptorpb.FileDescriptorProto, restYAML, rpc string) (string, error) {
	a := &api{methods: map[string]method{}, messages: map[string]*descriptorpb.DescriptorProto{}}
	for _, f := range files {
		for _, m := range f.MessageType {
			a.message(f.GetPackage()+"."+m.GetName(), m)
		}
		for _, s := range f.Service {
			for _, m := range s.Method {
				a.methods[f.GetPackage()+"."+s.GetName()+"."+m.GetName()] = method{m.GetInputType()[1:], m.GetOutputType()[1:]}
			}
		}
	}
	rules, err := os.ReadFile(restYAML)
	if err != nil {
		return "", fmt.Errorf("read REST paths: %w", err)
	}
	a.rest = restPaths(string(rules))
	if a.code, err = readCode(rpc); err != nil {
		return "", err
	}
	return a.document(), nil
}

func (a *api) message(name string, m *descriptorpb.DescriptorProto) {
	a.messages[name] = m
	for _, n := range m.NestedType {
		a.message(name+"."+n.GetName(), n)
	}
}

var restRule = regexp.MustCompile(`selector: ([\w.]+)\n\s+(get|post|put|delete|patch): "([^"]+)"`)

func restPaths(yaml string) map[string]string {
	paths := map[string]string{}
	for _, m := range restRule.FindAllStringSubmatch(yaml, -1) {
		paths[m[1]] = strings.ToUpper(m[2]) + " " + m[3]
	}
	return paths
}

// readCode looks through all Go files below a directory, but tests.
func readCode(dir string) (code, error) {
	c := code{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]string{}}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool { c.see(n); return true })
		return nil
	})
	if err != nil {
		return c, fmt.Errorf("read code: %w", err)
	}
	for key := range maps.Clone(c.sets) {
		name, field, _ := strings.Cut(key, ".")
		if other, ok := c.aliases[name]; ok {
			c.sets[other+"."+field] = true
		}
	}
	return c, nil
}

func (c *code) see(n ast.Node) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		of := ""
		switch t := n.Type.(type) {
		case *ast.SelectorExpr:
			of = t.Sel.Name
		case *ast.Ident:
			of = t.Name
		case nil: // an element of a list says no type
		default:
			return
		}
		for _, e := range n.Elts {
			if kv, ok := e.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && of != "" {
					c.sets[of+"."+key.Name] = true
				} else if ok {
					c.assigns[key.Name] = true
				}
			}
		}
	case *ast.AssignStmt:
		for _, l := range n.Lhs {
			c.assign(l)
		}
	case *ast.IncDecStmt:
		c.assign(n.X)
	case *ast.TypeSpec:
		if t, ok := n.Type.(*ast.SelectorExpr); ok && n.Assign.IsValid() {
			c.aliases[n.Name.Name] = t.Sel.Name
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND { // its address is given to who sets it
			c.assign(n.X)
		}
	case *ast.SelectorExpr:
		c.reads[strings.TrimPrefix(n.Sel.Name, "Get")] = true
		c.reads[n.Sel.Name] = true
	}
}

func (c *code) assign(e ast.Expr) {
	if s, ok := e.(*ast.SelectorExpr); ok {
		c.assigns[s.Sel.Name] = true
	}
	if i, ok := e.(*ast.IndexExpr); ok {
		c.assign(i.X)
	}
}

// goName is what protoc-gen-go makes of the name of a field.
func goName(field string) string {
	var b strings.Builder
	up := true
	for i := range len(field) {
		switch ch := field[i]; {
		case ch == '_' && i+1 < len(field) && 'a' <= field[i+1] && field[i+1] <= 'z':
			up = true
		case up && 'a' <= ch && ch <= 'z':
			b.WriteByte(ch - 'a' + 'A')
			up = false
		default:
			b.WriteByte(ch)
			up = '0' <= ch && ch <= '9'
		}
	}
	return b.String()
}

// foreign are fields of what comes in a piece of work of its own, and of the messages that only channels of other kinds
// have, or of requests: lnd leaves them empty as well.
var foreign = []string{"is_amp", "amp", "amp_record", "amp_invoice_state", "amp_data", "custom_channel_data", "first_hop_custom_records", "blinded_path_config"}

// empty are fields of answers that are rightly zero: lnd never sets them, or what they tell of is not in this node.
var empty = []string{
	"walletrpc.PublishResponse.publish_error",                              // never set in lnd: an error of the call says it
	"lnrpc.PendingChannelsResponse.PendingChannel.num_forwarding_packages", // there are no such packages: forwards are kept with their HTLCs
	"walletrpc.SubmitPackageResponse.package_msg",                          // there is no answer (see refused)
	"walletrpc.SubmitPackageResponse.tx_results",                           // likewise
	"walletrpc.SubmitPackageResponse.replaced_transactions",                // likewise
	"walletrpc.SubmitPackageTxResult.txid",                                 // likewise
	"walletrpc.SubmitPackageTxResult.error",                                // likewise
	"walletrpc.SubmitPackageTxResult.other_wtxid",                          // likewise
}

// refused is what a method reads, and does not do.
var refused = map[string]string{
	"walletrpc.WalletKit.SubmitPackage": "every package, since btcd cannot take one; so does lnd beside btcd",
}

// counts: a field that is deprecated, or foreign, is not missed.
func counts(f *descriptorpb.FieldDescriptorProto) bool {
	return !f.GetOptions().GetDeprecated() && !slices.Contains(foreign, f.GetName())
}

// unset are the fields of a message that no code sets.
func (a *api) unset(name string) (fields []string) {
	m := a.messages[name]
	short := strings.ReplaceAll(name[strings.IndexByte(name, '.')+1:], ".", "_")
	sets := func(f *descriptorpb.FieldDescriptorProto) bool {
		g := goName(f.GetName())
		return a.code.sets[short+"."+g] || a.code.sets[short+"_"+g+"."+g] || a.code.assigns[g]
	}
	for _, f := range m.Field {
		if counts(f) && !sets(f) && !slices.Contains(empty, name+"."+f.GetName()) && f.GetName() != "funding_txid_str" { // that is funding_txid_bytes in other words
			fields = append(fields, f.GetName())
		}
	}
	return fields
}

// unread are the fields of a request that no code looks at.
func (a *api) unread(name string) (fields []string) {
	for _, f := range a.messages[name].Field {
		g := goName(f.GetName())
		oneof := ""
		if f.OneofIndex != nil {
			oneof = goName(a.messages[name].OneofDecl[f.GetOneofIndex()].GetName())
		}
		if counts(f) && !a.code.reads[g] && !a.code.reads[oneof] {
			fields = append(fields, f.GetName())
		}
	}
	return fields
}

// below lists a message and all that it holds.
func (a *api) below(name string, seen map[string]bool) {
	if m := a.messages[name]; m != nil && !seen[name] {
		seen[name] = true
		for _, f := range m.Field {
			if f.TypeName != nil && counts(f) {
				a.below(f.GetTypeName()[1:], seen)
			}
		}
	}
}

const apiHead = `# The API: every method and its state

Made by ` + "`make proto`" + ` from the .proto files, from proto/rest.yaml, from the list of lnd's methods and from the code in rpc; do not
edit.

"works" means that the method does what it does in lnd, with every field. "partly" names what is missing: fields of the request that are not
looked at, what is refused, and fields of the answer that are left at zero (those of messages inside it are in the table behind, once for each message). "not yet"
answers as gRPC does for an unknown method or service: UNIMPLEMENTED. "later" comes in a piece of work of its own. Fields that are
deprecated are not counted, nor those of AMP and of channels that carry other assets, nor those of which zero is the
truth: lnd itself never sets them, or there is nothing here for them to tell of (num_forwarding_packages).

The REST server describes itself in OpenAPI at ` + "`GET /openapi.json`" + `, without a macaroon. A macaroon, with all that are narrowed from it, may have
4,096 calls and streams under way and begin 5,000 a second; a request has at most 16 MiB. Without one an address is the caller, of
IPv6 the first half of it. What is above is refused with RESOURCE_EXHAUSTED, and so
ends a stream whose reader is 4,096 events behind. As many WebSockets may be open. A body over REST has two minutes to come, each 64 KiB of an answer 35 s
to be taken. A server holds 16,384 connections; the oldest on which no macaroon was shown makes room for the next, or one of a macaroon that
has more than a quarter of them. What calls look like over REST is shown at the end.

`

func (a *api) document() string {
	var b strings.Builder
	b.WriteString(apiHead)
	names := strings.Fields(lnrpcMethods)
	for name := range a.methods {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	states := map[string]int{}
	lacking := map[string]bool{}
	var table strings.Builder
	service := ""
	for _, name := range names {
		dot := strings.LastIndexByte(name, '.')
		if name[:dot] != service {
			service = name[:dot]
			fmt.Fprintf(&table, "\n## %s\n\n| method | REST | state |\n|---|---|---|\n", service)
		}
		state, words := a.state(name, lacking)
		states[state]++
		rest := a.rest[name]
		if rest != "" {
			rest = "`" + rest + "`"
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", name[dot+1:], rest, words)
	}
	fmt.Fprintf(&b, "%d methods: %d work, %d partly, %d not yet, %d later.\n", len(names), states["works"], states["partly"], states["not yet"], states["later"])
	b.WriteString(table.String())
	a.zeros(&b, lacking)
	b.WriteString(examples)
	return b.String()
}

// state says how far a method is, and notes the messages of its answer that lack something.
func (a *api) state(name string, lacking map[string]bool) (state, words string) {
	m, ok := a.methods[name]
	if !ok {
		if slices.Contains(later, name[:strings.LastIndexByte(name, '.')]) {
			return "later", "later"
		}
		return "not yet", "not yet"
	}
	var lacks []string
	if fields := a.unread(m.in); len(fields) > 0 {
		lacks = append(lacks, "not read: "+strings.Join(fields, ", "))
	}
	if words := refused[name]; words != "" {
		lacks = append(lacks, "refused: "+words)
	}
	if fields := a.unset(m.out); len(fields) > 0 {
		lacks = append(lacks, "left at zero: "+strings.Join(fields, ", "))
	}
	inside := map[string]bool{}
	a.below(m.out, inside)
	var with []string
	for name := range inside {
		if name != m.out && len(a.unset(name)) > 0 && !a.messages[name].GetOptions().GetMapEntry() {
			lacking[name] = true
			with = append(with, name[strings.IndexByte(name, '.')+1:])
		}
	}
	if len(with) > 0 {
		slices.Sort(with)
		lacks = append(lacks, "see "+strings.Join(with, ", "))
	}
	if len(lacks) == 0 {
		return "works", "works"
	}
	return "partly", "partly; " + strings.Join(lacks, "; ")
}

func (a *api) zeros(b *strings.Builder, lacking map[string]bool) {
	b.WriteString("\n## Fields left at zero inside answers\n\n| message | fields |\n|---|---|\n")
	var names []string
	for name := range lacking {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(b, "| %s | %s |\n", name, strings.Join(a.unset(name), ", "))
	}
}

// Package verrpc is generated from the service Versioner: which version of the interface the node speaks. It must never
// know what a version contains.
//
//	version, err := verrpc.NewVersionerClient(conn).GetVersion(ctx, &verrpc.VersionRequest{})
package verrpc

// Package version is the service Versioner: which level of the interface the node
// speaks.
//
// It owns nothing but the translation. It must never know what the level means.
//
//	service, err := version.New("0.21.0-beta fulgur=0.1.0", commit)
//	err = server.Provide(&verrpc.Versioner_ServiceDesc, service)
package version

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/fulgur-ln/fulgur/proto/verrpc"
)

// Service is the service. Use New.
type Service struct {
	verrpc.UnimplementedVersionerServer
	version verrpc.Version
}

// New makes the service. The text begins with MAJOR.MINOR.PATCH-PRERELEASE in lnd's
// numbering; commit is 40 hex digits or empty. tags are the packages of the sub-services
// that are there, by which clients know what they can call: lnd names them as it was
// built with them.
func New(text, commit string, tags ...string) (*Service, error) {
	level, _, _ := strings.Cut(text, " ")
	numbers, pre, _ := strings.Cut(level, "-")
	parts := strings.Split(numbers, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("version %q: want MAJOR.MINOR.PATCH in front", text)
	}
	var n [3]uint32
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("version %q: %w", text, err)
		}
		n[i] = uint32(v)
	}
	s := &Service{}
	s.version.Commit, s.version.CommitHash, s.version.Version = text, commit, text
	s.version.AppMajor, s.version.AppMinor, s.version.AppPatch, s.version.AppPreRelease = n[0], n[1], n[2], pre
	s.version.BuildTags = slices.Clone(tags)
	s.version.GoVersion = runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH
	return s, nil
}

// GetVersion tells the version.
func (s *Service) GetVersion(context.Context, *verrpc.VersionRequest) (*verrpc.Version, error) {
	v := &s.version
	return &verrpc.Version{
		Commit: v.Commit, CommitHash: v.CommitHash, Version: v.Version, AppMajor: v.AppMajor, AppMinor: v.AppMinor,
		AppPatch: v.AppPatch, AppPreRelease: v.AppPreRelease, BuildTags: v.BuildTags, GoVersion: v.GoVersion,
	}, nil
}

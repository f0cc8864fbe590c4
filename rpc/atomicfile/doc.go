// Package atomicfile writes small files so that a reader, or a crash, finds either the old content or the new, never a
// part. It is for certificates, keys and macaroons; it must never know what is in them, and money rows do not belong
// here.
//
//	err := atomicfile.Write("admin.macaroon", macaroon, 0o600)
package atomicfile

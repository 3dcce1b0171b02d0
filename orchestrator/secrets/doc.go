// Package secrets removes secret values from text.
//
//	Spec ──► Values ──► Forms ──► Redactor ──► "[secret]"
//
// The secrets of a cluster are its cookie, the key of its authority, the values of
// [orchestrator.Spec].Secrets, the passwords in those that are URLs, and the credentials in the
// addresses of proxies. Each is masked in every form in which programs print it: as it is, line by
// line, quoted as in JSON or by Elixir's inspect, escaped as in a URL, and in base64. Text is masked before
// it is shortened: a part of a secret would no longer be recognised.
//
// # Threads
//
// None. A replacer may be used by several goroutines.
package secrets

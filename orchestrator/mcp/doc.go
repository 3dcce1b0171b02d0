// Package mcp gives an assistant access to clusters: it is a server of the Model Context Protocol.
//
//	assistant ──► tools/call ──► input ──► Commands.Run ──► Answer ──► masked ──► cut ──► result
//	                            (schema)   (the command line)
//
// A tool does what a command of the command line does, and answers with what the command prints: its
// JSON as the structured content, and its text. So the package knows neither an engine nor a
// supervisor. It has what is particular to an assistant:
//
//   - the tools, with their descriptions, and a schema for each input, made from its struct;
//   - which tools change something. Without [Options].AllowChanges these are not listed, and do not
//     exist. A tool that only reads evaluates no expression that the assistant wrote;
//   - secrets: the cookie and the secret values of all clusters are masked in all results, errors
//     included;
//   - bounds: a result that is longer than an assistant can use is cut, and says so.
//
// The protocol is spoken by its official library, github.com/modelcontextprotocol/go-sdk.
//
// # Threads
//
// [Server.Run] returns after all goroutines of the library. Tools run at once, each on a goroutine
// of the library; a call that the assistant cancels cancels its context.
package mcp

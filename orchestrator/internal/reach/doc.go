// Package reach finds out how this process can reach the nodes of a cluster.
//
//	this process on the engine's machine          ──► the containers' addresses
//	  in one of the engine's containers           ──► the same, once attached to the network
//	  elsewhere, or in a container of another one ──► the ports that the engine publishes
//
// # Threads
//
// None.
package reach

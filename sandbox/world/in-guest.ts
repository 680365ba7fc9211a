import { observeNode, type NodeScope } from './node.js';

/** `in-guest.js SCOPE`: what `observeNode` sees in the virtual machine, as JSON. */
console.log(JSON.stringify(await observeNode(JSON.parse(process.argv[2] ?? '') as NodeScope)));

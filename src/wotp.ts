import { openWith } from './cli/api-client.ts';
import { runProgram } from './cli/program.ts';
import { COMMANDS } from './commands.ts';
import { ownServer } from './own-server.ts';

openWith(ownServer);
void runProgram(COMMANDS);

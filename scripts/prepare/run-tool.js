// @ts-check
import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/** @type {NodeJS.Signals[]} */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * Runs a tool to its end and keeps what it prints. A signal to this process ends the tool, then this process,
 * so that no half-done work goes on behind the caller's back.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd: string, shell?: boolean }} options
 * @returns {Promise<{ succeeded: boolean, output: string }>}
 */
export function runTool(command, args, { cwd, shell = false }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, shell, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    /** @type {NodeJS.Signals | undefined} */
    let received;
    /** @param {NodeJS.Signals} signal */
    const passOn = (signal) => {
      received = signal;
      child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, passOn);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    /** @param {boolean} succeeded */
    const finish = (succeeded) => {
      for (const signal of SIGNALS) process.off(signal, passOn);
      // An ordinary exit, with the status a shell gives to a death by signal, so that exit handlers clean up.
      if (received) process.exit(128 + constants.signals[received]);
      else resolve({ succeeded, output });
    };
    child.once('error', (error) => {
      output += `${error.message}\n`;
      finish(false);
    });
    child.once('close', (code) => finish(code === 0));
  });
}

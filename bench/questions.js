// @ts-check
// Questions to a forked process, and its answers.

/**
 * Asks a forked process, which answers by `answerQuestions`; questions that come before it can answer wait.
 * @param {import('node:child_process').ChildProcess} child
 */
export function questionsTo(child) {
  let calls = 0;
  /** @type {Map<number, (value: any) => void>} */
  const waiting = new Map();
  child.on('message', (/** @type {{ call: number, value: any }} */ { call, value }) => {
    waiting.get(call)?.(value);
    waiting.delete(call);
  });
  return (/** @type {string} */ verb, /** @type {any[]} */ ...args) => {
    calls += 1;
    const call = calls;
    return /** @type {Promise<any>} */ (
      new Promise((resolve) => {
        waiting.set(call, resolve);
        child.send({ call, verb, args });
      })
    );
  };
}

/** Answers the questions of the process that forked this one, and ends with it. @param {Record<string, (...args: any[]) => any>} verbs */
export function answerQuestions(verbs) {
  process.on(
    'message',
    async (/** @type {{ call: number, verb: string, args: any[] }} */ { call, verb, args }) => {
      process.send?.({ call, value: await verbs[verb]?.(...args) });
    },
  );
  process.on('disconnect', () => process.exit());
}

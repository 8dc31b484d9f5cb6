import { AsyncLocalStorage } from 'node:async_hooks';

/** Hears of what the library's code has let through, in place of whoever called it. */
export interface LibraryUser {
  failed(error: unknown): void;
}

/**
 * For whom the library's code runs just now, its timers and callbacks included; undefined in code of our own. Everything
 * that Baileys does is done inside, so that an exception which nobody catches is known to be the library's, and whose.
 */
const runningFor = new AsyncLocalStorage<LibraryUser | undefined>();

/** Calls the library in the name of a connection. What it throws at once comes back to the caller. */
export function callLibrary<T>(user: LibraryUser, work: () => T): T {
  return runningFor.run(user, work);
}

/** For whom the library's code runs just now; undefined in code of our own. */
export function libraryUser(): LibraryUser | undefined {
  return runningFor.getStore();
}

/** A function of ours that the library asks for something. What it begins is ours; what it throws the library hears. */
export function ours<Given extends unknown[], T>(answer: (...given: Given) => T): (...given: Given) => T {
  return (...given) => runningFor.run(undefined, () => answer(...given));
}

/** A function of ours that the library tells something. What it throws is none of the library's affairs: it is uncaught. */
export function listening<Given extends unknown[]>(
  listener: (...given: Given) => void,
): (...given: Given) => void {
  return ours((...given) => {
    try {
      listener(...given);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  });
}

/**
 * For `uncaughtException` and `unhandledRejection`: whether the library's code has let this through. Then whoever it ran
 * for has been told, and the process goes on.
 */
export function isFailureOfLibrary(error: unknown): boolean {
  const user = runningFor.getStore();
  if (user) runningFor.run(undefined, () => user.failed(error));
  return user !== undefined;
}

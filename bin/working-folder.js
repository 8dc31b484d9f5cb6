// @ts-check

/** Ends the process with a sentence where its working folder is gone: paths and settings are read from there. */
export function requireWorkingFolder() {
  try {
    process.cwd();
  } catch (error) {
    const { code } = /** @type {NodeJS.ErrnoException} */ (error);
    process.stderr.write(
      `wotp: The working folder cannot be found (${code}); it may have been deleted. Change to another folder, then run the command again.\n`,
    );
    process.exit(1);
  }
}

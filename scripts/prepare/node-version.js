// @ts-check
const OLDEST = [20, 19];

/**
 * Says why this Node cannot run WOTP, or nothing where it can.
 * @param {string} version as in `process.versions.node`
 * @returns {string | undefined}
 */
export function nodeVersionProblem(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return undefined;
  return `WOTP needs Node.js ${OLDEST.join('.')} or newer and this is ${version}. Install a newer one from https://nodejs.org (24 is recommended).`;
}

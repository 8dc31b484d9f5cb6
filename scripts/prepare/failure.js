// @ts-check

/** A step of the preparation that did not work: a sentence on what to do, and what the tool printed. */
export class PrepareFailure extends Error {
  /**
   * @param {string} message
   * @param {string} [toolOutput]
   */
  constructor(message, toolOutput = '') {
    super(message);
    this.toolOutput = toolOutput;
  }
}

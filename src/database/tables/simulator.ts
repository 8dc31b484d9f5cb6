/** The tables of `channels/simulator/`. */
export interface SimulatorTables {
  /**
   * The virtual phone's memory: which messages arrived on it. Empty where there is no mock mode.
   * @kept as long as its message
   * @index simulator_messages_by_phone the newest messages of one phone or mailbox
   * @index simulator_messages_of_other_projects a project's list, newest first; that of the default project is not in it
   */
  simulator_messages: {
    /** The message, whose text is in `messages`. */
    message_id: string;
    /** The number of the project it belongs to. */
    project_id: number;
    /** E.164, or an e-mail address. */
    address: string;
    /** The channel that the virtual phone stood in for. */
    channel: string;
    /** When it arrived. */
    at: number;
  };
}

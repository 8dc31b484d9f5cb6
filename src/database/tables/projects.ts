/** The tables of `projects/`. */
export interface ProjectsTables {
  /**
   * The tenants: keys, verifications, messages and events belong to exactly one.
   * @kept always
   */
  projects: {
    /** `prj_…`: what the API calls it. */
    id: string;
    /** What rows carry in their `project_id`; 1 is the default project. */
    number: number;
    /** For people. */
    name: string;
    /** When it was made. */
    created_at: number;
  };
}

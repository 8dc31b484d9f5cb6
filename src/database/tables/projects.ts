/** The tables of `projects/`. */
export interface ProjectsTables {
  /**
   * The tenants: keys, verifications, messages and events belong to exactly one.
   * @kept until all data of a deleted one is erased
   */
  projects: {
    /** `prj_…`: what the API calls it. */
    id: string;
    /** What rows carry in their `project_id`; 1 is the default project. */
    number: number;
    /** For people. */
    name: string;
    /** When it was created. */
    created_at: number;
    /** Since when it is being erased; null for one that is in use. */
    deleted_at: number | null;
  };
}

/** The table of the toys. */
export interface ToyTables {
  toys: {
    name: string;
    project_id: number;
    /** Unix ms. */
    made_at: number;
    /** How often it was wound up. */
    windings: number;
  };
}

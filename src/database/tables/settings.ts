import type { Generated } from 'kysely';

/** The tables of `settings/`. */
export interface SettingsTables {
  /**
   * Settings that were set over the API or the command line, one row each.
   * @kept until they are unset, or their project is deleted
   */
  setting_values: {
    /** The number of the project it is set for; 0: the installation. */
    project_id: number;
    /** The name of the environment variable. */
    key: string;
    /** As the environment would have it. Never a secret: those are set in the environment only. */
    value: string;
    /** When it was set. */
    updated_at: number;
    /** Who set it: `admin` or `cli`. */
    updated_by: string;
  };

  /**
   * What was changed in them.
   * @kept always; deleted with the project
   * @index setting_changes_by_project the history of one project, newest first
   */
  setting_changes: {
    /** Grows with each change. */
    seq: Generated<number>;
    /** The number of the project; 0: the installation. */
    project_id: number;
    /** The name of the environment variable. */
    key: string;
    /** As `setting_values` had it; null where it was not set. */
    old_value: string | null;
    /** As `setting_values` has it since; null where it was unset. */
    new_value: string | null;
    /** When. */
    changed_at: number;
    /** Who changed it: `admin` or `cli`. */
    changed_by: string;
  };
}

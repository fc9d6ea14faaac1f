"""From counters to models and reports: fits, effects of triggers, scores, cohorts. Nothing here runs in a worker.

`fit_repurchase` makes the table that `profiles.insight.repurchase` predicts from (and needs numpy: `regulars[fit]`);
`effect` reads what triggers bring, `nps_report` and `cohort_report` what the tables say.
"""

"""When to look again, and one look: triggers, pacing, leadership and the passes themselves. Rules live further down."""

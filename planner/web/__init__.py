"""The same planner as a local page: a form, sliders, and every form of the plan to download."""

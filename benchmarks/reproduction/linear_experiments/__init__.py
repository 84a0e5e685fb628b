"""The linear experiments of "When to Align, When to Predict" (Kamai et al., 2026)."""

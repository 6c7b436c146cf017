"""
From evidence to verdict: the rules that trip, and the questions between stages.

No function here reads a clock, rolls dice or waits. Whoever counts (`record`, or the simulated world) brings
`facts` and `evidence`; whoever acts (`control`) takes trips and verdicts, each with the numbers it stood on.
"""

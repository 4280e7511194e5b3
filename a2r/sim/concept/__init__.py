"""Concept2Robot's table: tasks, scenes, robot, episodes of one decision."""

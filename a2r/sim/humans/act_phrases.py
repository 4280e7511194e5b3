"""Other words for the acts and their nouns, as data; see `phrases`.

Held-out paraphrases are of words that training has, with the phrases of
`phrases` or without.
"""

PHRASES = """
Dropping something behind something
  drop the {0} behind the {1}; let the {0} fall behind the {1};
  let go of the {0} behind the {1}; the {0} drops at the back of the {1}
  * the {0} drops behind the {1}; let the {0} fall at the back of the {1}
Dropping something in front of something
  drop the {0} in front of the {1}; let the {0} fall in front of the {1};
  let go of the {0} before the {1}; the {0} drops at the front of the {1}
  * the {0} drops in front of the {1}; let the {0} fall before the {1}
Dropping something into something
  drop the {0} into the {1}; let the {0} fall into the {1};
  let go of the {0} above the open {1}; the {0} drops inside the {1}
  * the {0} drops into the {1}; let the {0} fall inside the open {1}
Dropping something next to something
  drop the {0} next to the {1}; let the {0} fall beside the {1};
  let go of the {0} by the {1}; the {0} drops at the side of the {1}
  * drop the {0} beside the {1}; let the {0} fall at the side of the {1}
Holding something behind something
  hold the {0} behind the {1}; keep the {0} in the hand behind the {1};
  a hand holds the {0} at the back of the {1}; holding the {0} still behind {1}
  * hold the {0} at the back of the {1}; keep the {0} still behind the {1}
Holding something in front of something
  hold the {0} in front of the {1}; keep the {0} in the hand before the {1};
  a hand holds the {0} at the front of the {1};
  holding the {0} still in front of {1}
  * hold the {0} before the {1}; keep the {0} still in front of the {1}
Holding something next to something
  hold the {0} next to the {1}; keep the {0} in the hand beside the {1};
  a hand holds the {0} by the {1}; holding the {0} still at the side of {1}
  * hold the {0} beside the {1}; keep the {0} still next to the {1}
Holding something over something
  hold the {0} over the {1}; keep the {0} in the hand above the {1};
  a hand holds the {0} above the {1}; holding the {0} still over {1}
  * hold the {0} above the {1}; keep the {0} still over the {1}
Putting something behind something
  put the {0} behind the {1}; place the {0} at the back of the {1};
  set the {0} down behind the {1}; bring the {0} in and leave it behind the {1}
  * place the {0} behind the {1}; set the {0} down at the back of the {1}
Putting something in front of something
  put the {0} in front of the {1}; place the {0} at the front of the {1};
  set the {0} down before the {1};
  bring the {0} in and leave it in front of the {1}
  * place the {0} in front of the {1}; set the {0} down at the front of the {1}
Failing to put something into something because something does not fit
  the {0} does not fit into the {1}; the {0} is too large for the {1};
  try to put the {0} into the {1} but it does not fit;
  the {0} does not go inside the small {1}
  * try to put the {0} inside the {1} but it is too large;
  the {0} does not go into the {1}
Pulling something from behind of something
  pull the {0} from behind the {1}; drag the {0} out from behind the {1};
  get the {0} from the back of the {1}; the {0} is pulled out behind the {1}
  * drag the {0} from behind the {1}; pull the {0} from the back of the {1}
Pulling something onto something
  pull the {0} onto the {1}; drag the {0} onto the {1};
  pull the {0} over until it is on the {1}; dragging the {0} on top of the {1}
  * drag the {0} on top of the {1}; pull the {0} until it is on the {1}
Pulling something out of something
  pull the {0} out of the {1}; drag the {0} out of the {1};
  pull the {0} from inside the {1}; dragging the {0} from the {1}
  * drag the {0} from inside the {1}; pulling the {0} out from the {1}
Putting something underneath something
  put the {0} underneath the {1}; place the {0} under the {1};
  push the {0} below the {1}; hide the {0} beneath the {1}
  * put the {0} beneath the {1}; place the {0} below the {1}
Throwing something
  throw the {0}; toss the {0}; fling the {0} away; the {0} is thrown
  * toss the {0} away; the {0} is thrown away
Hitting something with something
  hit the {0} with the {1}; strike the {0} with the {1};
  bang the {1} on the {0}; knock on the {0} with the {1}
  * strike the {0} using the {1}; bang on the {0} with the {1}
Throwing something against something
  throw the {0} against the {1}; toss the {0} at the {1};
  fling the {0} at the {1}; the {0} is thrown and hits the {1}
  * toss the {0} against the {1}; throw the {0} so that it hits the {1}
Throwing something in the air and catching it
  throw the {0} in the air and catch it; toss the {0} up and catch it;
  throw the {0} up and catch it again; the {0} flies up and is caught
  * toss the {0} in the air and catch it; the {0} is thrown up and caught again
Pushing something so that it slightly moves
  push the {0} so that it moves a little; push the {0} a bit;
  shove the {0} a little farther; a slight push and the {0} moves a bit
  * push the {0} a little; shove the {0} so that it moves a bit
Pushing something off of something
  push the {0} off the {1}; shove the {0} off the {1};
  push the {0} so it falls from the {1}; knock the {0} down from the {1}
  * shove the {0} so it falls off the {1}; push the {0} down from the {1}
Pushing something onto something
  push the {0} onto the {1}; shove the {0} onto the {1};
  push the {0} over until it is on the {1}; sliding the {0} on top of the {1}
  * shove the {0} on top of the {1}; push the {0} until it is on the {1}
Pretending to poke something
  pretend to poke the {0}; act like poking the {0};
  nearly poke the {0} but do not touch it; pretend to tap the {0}
  * pretend to nearly poke the {0}; pretend to poke the {0} but do not touch it
Tipping something over
  tip the {0} over; tip over the {0}; tilt the {0} until it falls on its side;
  push the top of the {0} so that it falls; tipping the {0} on its side
  * tip the {0} on its side; tilt the {0} so that it falls over
Poking something so that it spins around
  poke the {0} so that it spins; tap the {0} and it spins around;
  spin the {0} with a poke; a poke and the {0} turns around
  * poke the {0} so that it turns around; tap the {0} so that it spins
Poking a stack of something so the stack collapses
  poke the stack of {0} over; knock the pile of {0} down;
  poke the pile of {0} until it collapses; a poke and the stack of {0} falls
  * poke the pile of {0} so that it falls; knock the stack of {0} over
Poking a stack of something without the stack collapsing
  poke the stack of {0} but it stays; tap the pile of {0} without knocking it;
  a soft poke and the stack of {0} stays;
  poke the pile of {0} and it does not collapse
  * tap the stack of {0} but it stays;
  a soft poke and the pile of {0} does not collapse
Pushing something so that it almost falls off but doesn't
  push the {0} to the edge but it stays on; shove the {0} nearly off the table;
  the {0} almost falls from the table; push the {0} almost over the edge
  * shove the {0} almost over the edge; push the {0} nearly off the table
Pushing something with something
  push the {0} with the {1}; shove the {0} using the {1};
  use the {1} to push the {0}; the {1} pushes the {0} along
  * push the {0} using the {1}; use the {1} to shove the {0}
Rolling something on a flat surface
  roll the {0}; roll the {0} across the table; push the {0} so that it rolls;
  make the {0} roll along the table
  * roll the {0} along the table; make the {0} roll across the table
Letting something roll down a slanted surface
  let the {0} roll down the ramp; the {0} rolls down a slope;
  let go of the {0} at the top of the ramp; the {0} rolls down the slanted board
  * let the {0} roll down the slope; the {0} rolls down the ramp
Letting something roll up a slanted surface, so it rolls back down
  roll the {0} up the ramp and it comes back; the {0} rolls up and back down;
  push the {0} up the slope and it rolls back; the {0} goes up the ramp and down
  * the {0} rolls up the slope and comes back;
  push the {0} up the ramp and it rolls back down
Folding something
  fold the {0}; fold the {0} up; fold the {0} in half; fold the {0} over once
  * fold the {0} over; fold up the {0} in half
Unfolding something
  unfold the {0}; spread the folded {0}; open up the folded {0};
  unfolding the {0} until it is flat
  * unfold the folded {0}; spread the {0} until it is flat
Removing something, revealing something behind
  remove the {0} and show the {1} behind; take the {0} away from the {1};
  lift the {0} and the {1} is behind it; reveal the {1} behind the {0}
  * take the {0} away and show the {1} behind; remove the {0} to reveal the {1}
Lifting something with something on it
  lift the {0} with the {1} on it; raise the {0} with the {1} on top;
  lift the {0} that the {1} is on; the {0} goes up with the {1} on it
  * raise the {0} with the {1} on it; the {0} goes up with the {1} on top
Tilting something with something on it slightly so it doesn't fall down
  tilt the {0} a little and the {1} stays on it;
  tilt the {0} but the {1} does not fall; tip the {0} a bit with the {1} on it;
  raise one side of the {0} and keep the {1} on it
  * tip the {0} a little and the {1} stays on it;
  raise one side of the {0} but the {1} does not fall
Tilting something with something on it until it falls off
  tilt the {0} until the {1} falls off; tip the {0} until the {1} slides off;
  raise one side of the {0} until the {1} drops;
  the {1} slides off the tilted {0}
  * tip the {0} until the {1} falls off; the {1} falls off the tilted {0}
Putting something on the edge of something so it is not supported and falls down
  put the {0} on the edge of the {1} and it falls;
  place the {0} at the edge of the {1} so it drops;
  the {0} falls down from the edge of the {1};
  set the {0} too near the edge of the {1}
  * place the {0} on the edge of the {1} and it falls down;
  the {0} drops from the edge of the {1}
"""

NAMES = """
shelf: stand; bench; roof; small shelf * rack; ledge
stick: pen; ruler; wand; wooden stick * baton; skewer
towel: cloth; napkin; sheet; kitchen towel * rag; handkerchief
"""

"""Other words for the templates and the nouns of human clips, as data.

`PHRASES`: below each SS-V2 template its paraphrases for training, then, after
a star, those that only evaluations use; their words all occur in training.
`{0}` and `{1}` are the caption's first and second noun. `NAMES`: below each
noun, in the order of `templates.NOUNS`, likewise; its first name is the
caption's, and the words after the star never occur in training.
"""

PHRASES = """
Closing something
  close the {0}; shut the {0}; shutting the {0}; make the open {0} closed
  * get the {0} shut; closing the open {0}
Opening something
  open the {0}; opening up the closed {0}; pull the {0} open; get the {0} open
  * make the {0} open; opening the shut {0}
Moving something away from the camera
  move the {0} away from the camera; push the {0} away from me;
  moving the {0} to the back; slide the {0} farther from the viewer
  * slide the {0} away from the viewer; pushing the {0} to the back
Moving something towards the camera
  move the {0} towards the camera; bring the {0} to me;
  moving the {0} to the front; slide the {0} nearer to the viewer
  * bring the {0} towards the viewer; pushing the {0} to the front
Pushing something from left to right
  push the {0} from left to right; push the {0} to the right;
  sliding the {0} rightwards; shove the {0} from the left to the right side
  * shove the {0} rightwards; pushing the {0} from the left side to the right
Pushing something from right to left
  push the {0} from right to left; push the {0} to the left;
  sliding the {0} leftwards; shove the {0} from the right to the left side
  * shove the {0} leftwards; pushing the {0} from the right side to the left
Moving part of something
  move part of the {0}; turn the handle of the {0}; turning part of the {0};
  rotate the handle of the {0}
  * rotate part of the {0}; moving the handle of the {0}
Poking something so lightly that it doesn't or almost doesn't move
  poke the {0} lightly so that it stays; poke the {0} without moving it;
  tap the {0} but it stays in place; a soft poke and the {0} does not move
  * tap the {0} lightly without moving it; poke the {0} but it does not move
Poking something so it slightly moves
  poke the {0} so that it moves a little; poke the {0} a little farther;
  tap the {0} so that it slides a bit; a poke and the {0} moves slightly
  * poke the {0} so that it slides a little; tap the {0} a bit farther
Poking something so that it falls over
  poke the {0} over; knock the {0} over; tap the {0} until it tips over;
  a poke and the {0} falls on its side
  * poke the {0} until it tips over; knock the {0} so that it falls over
Touching (without moving) part of something
  touch part of the {0}; touch the handle of the {0} but do not turn it;
  rest the hand on the {0}; put a finger on the {0}
  * rest a finger on part of the {0}; put the hand on the {0} without turning it
Moving something up
  move the {0} up; raise the held {0} higher; moving the {0} upwards;
  the hand with the {0} goes up
  * raise the {0} upwards; the held {0} goes higher up
Moving something down
  move the {0} down; lower the held {0}; moving the {0} downwards;
  the hand with the {0} goes down
  * lower the {0} downwards; the held {0} goes lower down
Lifting something up completely without letting it drop down
  lift the {0} off the table and keep it up; lift the {0} and hold it there;
  raise the {0} from the table and do not let it fall;
  lift up the {0} without dropping it
  * raise the {0} from the table and keep it there;
  lift the {0} off the table and do not drop it
Lifting something up completely, then letting it drop down
  lift the {0} and drop it; lift the {0} off the table then let it fall;
  raise the {0} from the table and let go of it;
  lift up the {0} before dropping it
  * raise the {0} from the table then drop it; lift up the {0} and let it fall
Picking something up
  pick up the {0}; pick the {0} up; grab the {0} and lift it out of sight;
  picking the {0} up from the table
  * grab the {0} and pick it up; picking up the {0} from the table
Putting something on a surface
  put the {0} on the table; place the {0} on the surface;
  set the {0} down and leave it; bring the {0} in and put it there
  * place the {0} on the table and leave it; bring the {0} in and set it down
Taking something from somewhere
  take the {0} from the table; remove the {0} from the surface;
  take the {0} along with the hand; fetch the {0} from where it is
  * fetch the {0} from the table; remove the {0} from where it is
Pushing something so that it falls off the table
  push the {0} off the table; shove the {0} over the edge;
  knock the {0} off the edge; slide the {0} until it falls from the table
  * push the {0} over the edge of the table; shove the {0} until it falls off
Turning something upside down
  turn the {0} upside down; flip the {0}; turn the {0} on its head;
  rotate the {0} until its top is below
  * flip the {0} on its head; flip the {0} until its top is below
Moving something closer to something
  move the {0} closer to the {1}; bring the {0} near the {1};
  push the {0} towards the {1}; slide the {0} over to the {1}
  * slide the {0} closer to the {1}; push the {0} near the {1}
Moving something away from something
  move the {0} away from the {1}; push the {0} off from the {1};
  separate the {0} from the {1}; slide the {0} farther from the {1}
  * slide the {0} away from the {1}; push the {0} farther from the {1}
Moving something and something closer to each other
  move the {0} and the {1} closer together; bring the {0} and {1} together;
  the {0} and the {1} come near each other; push both the {0} and {1} together
  * move both the {0} and the {1} together;
  the {0} and the {1} come closer to each other
Moving something and something away from each other
  move the {0} and the {1} farther apart; move the {0} and {1} apart;
  the {0} and the {1} go away from each other; push both the {0} and {1} apart
  * move both the {0} and the {1} apart; the {0} and the {1} go farther apart
Putting something onto something
  put the {0} onto the {1}; stack the {0} on the {1};
  place the {0} on top of the {1}; set the {0} on the {1}
  * stack the {0} on top of the {1}; place the {0} onto the {1}
Dropping something onto something
  drop the {0} onto the {1}; let the {0} fall on the {1};
  let go of the {0} above the {1}; the {0} drops on top of the {1}
  * drop the {0} on top of the {1}; let go of the {0} so it falls on the {1}
Putting something next to something
  put the {0} next to the {1}; place the {0} beside the {1};
  set the {0} down by the {1}; lift the {0} over to the side of the {1}
  * set the {0} down beside the {1}; place the {0} next to the {1}
Pretending to put something next to something
  pretend to put the {0} next to the {1}; act like placing the {0} by the {1};
  nearly put the {0} beside the {1} but take it back;
  pretending to set the {0} down by the {1}
  * pretend to place the {0} beside the {1};
  act like putting the {0} next to the {1} but take it back
Covering something with something
  cover the {0} with the {1}; put the {1} over the {0};
  hide the {0} under the {1}; set the {1} down over the {0}
  * place the {1} over the {0}; hide the {0} below the {1}
Uncovering something
  uncover the {0}; reveal the {0}; lift the cover off the {0};
  show what is hidden and it is the {0}
  * take the cover off the {0}; reveal the hidden {0}
Putting something into something
  put the {0} into the {1}; place the {0} inside the {1};
  let the {0} down into the {1}; set the {0} down in the {1}
  * place the {0} into the {1}; put the {0} inside the {1}
Taking something out of something
  take the {0} out of the {1}; remove the {0} from inside the {1};
  lift the {0} out of the {1}; get the {0} from the {1}
  * remove the {0} out of the {1}; take the {0} from inside the {1}
Pulling something from left to right
  pull the {0} from left to right; pull the {0} to the right;
  drag the {0} rightwards; dragging the {0} to the right side
  * pull the {0} rightwards; drag the {0} from the left side to the right
Pulling something from right to left
  pull the {0} from right to left; pull the {0} to the left;
  drag the {0} leftwards; dragging the {0} to the left side
  * pull the {0} leftwards; drag the {0} from the right side to the left
Putting something upright on the table
  stand the {0} up; put the {0} upright; turn the lying {0} upright;
  set the {0} up on its foot
  * stand the lying {0} upright; put the {0} up on its foot
Laying something on the table on its side, not upright
  lay the {0} down; lay the {0} on its side; turn the standing {0} on its side;
  put the {0} flat on the table
  * lay the standing {0} flat; put the {0} down on its side
Holding something
  hold the {0}; hold the {0} still; keep the {0} in the hand;
  a hand holds the {0} without moving
  * keep the {0} still in the hand; a hand holds the {0} still
Pretending to pick something up
  pretend to pick up the {0}; pretend to lift the {0};
  act like picking up the {0}; the hand goes up without the {0}
  * act like lifting the {0}; pretend to pick the {0} up from the table
Pretending to close something without actually closing it
  pretend to close the {0}; act like closing the {0};
  pretend to shut the {0} but it stays open; the {0} is not closed at all
  * act like shutting the {0} but it stays open; pretending to shut the {0}
Pretending to open something without actually opening it
  pretend to open the {0}; act like opening the {0};
  pretend to pull the {0} open but it stays shut; the {0} is not opened at all
  * act like pulling the {0} open but it stays closed;
  pretending to pull the {0} open
Something falling like a rock
  the {0} falls down; a falling {0}; the {0} drops from above by itself;
  the {0} is falling to the table
  * the {0} falls from above; the {0} drops to the table by itself
Letting something roll along a flat surface
  let the {0} roll; the {0} rolls across the table; a rolling {0};
  the {0} rolls along by itself
  * let the {0} roll across the table; the {0} is rolling along the surface
"""

NAMES = """
cup: mug; glass; teacup; coffee cup * beaker; tumbler
box: carton; package; block; cardboard box * parcel; crate
book: notebook; magazine; diary; textbook * novel; folder
bottle: water bottle; jar; thermos; plastic bottle * flask; shampoo
can: tin; soda can; beer can; metal can * canister; keg
ball: tennis ball; toy ball; sphere; apple * orb; tomato
drawer: cabinet; desk drawer; cupboard; dresser * locker; bureau
box: chest; case; jewelry box; lidded box * trunk; casket
faucet: tap; water tap; sink faucet; lever * spigot; valve
door: cabinet door; cupboard door; gate; oven door * shutter; wardrobe
"""
GENERIC = ("object", "thing", "item")

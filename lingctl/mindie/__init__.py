"""What MindIE needs and says, by version. Pure: nothing here touches a node."""

#pragma once
// What DPF, the plugin framework, asks to be told of a plugin.

#define DISTRHO_PLUGIN_BRAND "halfstep"
#define DISTRHO_PLUGIN_NAME "halfstep"
#define DISTRHO_PLUGIN_URI "urn:halfstep:player"
#define DISTRHO_PLUGIN_CLAP_ID "halfstep.player"

#define DISTRHO_PLUGIN_NUM_INPUTS 0
#define DISTRHO_PLUGIN_NUM_OUTPUTS 2
#define DISTRHO_PLUGIN_IS_SYNTH 1
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_HAS_UI 0

#define DISTRHO_PLUGIN_VST3_CATEGORIES "Instrument|Generator"
#define DISTRHO_PLUGIN_CLAP_FEATURES "instrument", "stereo"

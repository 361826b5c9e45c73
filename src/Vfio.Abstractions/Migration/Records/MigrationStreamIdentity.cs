namespace Vfio;

/// <summary>Whose data stream it is. Written by the stream's first record.</summary>
/// <param name="Name">
/// The name of the layout, which a stream must have to be loaded: 1 to 64 bytes of UTF-8, by custom the driver's name.
/// </param>
/// <param name="Version">
/// The version of the layout. A reader takes every version: what an older one can do without is in optional records, what it cannot is in
/// mandatory ones, which it refuses.
/// </param>
public readonly record struct MigrationStreamIdentity(string Name, uint Version);

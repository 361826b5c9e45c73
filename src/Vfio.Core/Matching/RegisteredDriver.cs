namespace Vfio.Core;

/// <summary>A driver of the table.</summary>
/// <param name="Driver">The driver.</param>
/// <param name="Origin">Where it came from, for people: "plugin x 0.1.0", "built in".</param>
public sealed record RegisteredDriver(VariantDriver Driver, string Origin);

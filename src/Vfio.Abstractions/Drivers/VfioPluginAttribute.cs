namespace Vfio;

/// <summary>Names a driver of a plugin assembly; once for each driver. Only these types are created: nothing is scanned.</summary>
/// <param name="driver">A class that derives from <see cref="VariantDriver"/> and has a public constructor without parameters.</param>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class VfioPluginAttribute(Type driver) : Attribute
{
    /// <summary>The driver's type.</summary>
    public Type Driver { get; } = driver;
}

namespace Vfio;

public abstract class VariantDriver;

[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
public sealed class VfioPluginAttribute(Type driver) : Attribute
{
    public Type Driver { get; } = driver;
}

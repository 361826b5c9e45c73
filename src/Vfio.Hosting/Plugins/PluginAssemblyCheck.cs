using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Vfio.Hosting.Plugins;

/// <summary>Reads an entry assembly as data: what it refers to, and which driver types it names. Nothing of it is loaded.</summary>
internal static class PluginAssemblyCheck
{
    private const string AttributeNamespace = "Vfio";
    private const string AttributeName = nameof(VfioPluginAttribute);

    /// <summary>Checks an entry assembly.</summary>
    /// <param name="path">The file.</param>
    /// <param name="isAvailable">Whether an assembly of this name could be loaded for it.</param>
    /// <returns>The full names of the driver types, in the order of their attributes.</returns>
    public static IReadOnlyList<string> Read(string path, Func<string, bool> isAvailable)
    {
        var file = Path.GetFileName(path);
        try
        {
            using var stream = File.OpenRead(path);
            using var image = new PEReader(stream);
            if (!image.HasMetadata)
                throw new PluginRefusedException($"{file} is not a .NET assembly: it has no metadata");
            var metadata = image.GetMetadataReader();
            CheckReferences(metadata, file, isAvailable);
            var drivers = DriverTypes(metadata, file);
            return drivers.Count > 0
                ? drivers
                : throw new PluginRefusedException($"{file} names no driver; add [assembly: VfioPlugin(typeof(YourDriver))] to it");
        }
        catch (BadImageFormatException e)
        {
            throw new PluginRefusedException($"{file} is not a .NET assembly: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new PluginRefusedException($"{file} cannot be read: {e.Message}", e);
        }
    }

    private static void CheckReferences(MetadataReader metadata, string file, Func<string, bool> isAvailable)
    {
        var host = typeof(VfioContract).Assembly.GetName().Version!;
        var refersToContract = false;
        foreach (var handle in metadata.AssemblyReferences)
        {
            var reference = metadata.GetAssemblyReference(handle);
            var name = metadata.GetString(reference.Name);
            if (name == PluginContract.Assembly)
            {
                refersToContract = true;
                if (reference.Version.Major != host.Major)
                {
                    throw new PluginRefusedException(
                        $"{file} was compiled against {name} {reference.Version}, this host has {host}: another major version, whatever its manifest "
                        + "says; rebuild the plugin");
                }
            }
            else if (name == "System.Runtime" && reference.Version.Major > Environment.Version.Major)
            {
                throw new PluginRefusedException(
                    $"{file} was compiled for .NET {reference.Version.ToString(2)}, this host runs {Environment.Version}; update the host's runtime");
            }
            else if (!isAvailable(name))
            {
                throw new PluginRefusedException(
                    $"{file} needs {name} {reference.Version}, which is not in the plugin's folder; publish the plugin with its dependencies");
            }
        }

        if (!refersToContract)
            throw new PluginRefusedException($"{file} does not refer to {PluginContract.Assembly}: it is no plugin");
    }

    private static List<string> DriverTypes(MetadataReader metadata, string file)
    {
        var types = new List<string>();
        foreach (var handle in metadata.GetAssemblyDefinition().GetCustomAttributes())
        {
            var attribute = metadata.GetCustomAttribute(handle);
            if (!IsPluginAttribute(metadata, attribute))
                continue;
            var blob = metadata.GetBlobReader(attribute.Value);
            _ = blob.ReadUInt16();
            var name = blob.ReadSerializedString();

            // The compiler writes a bare name for a type of the same assembly, and a name with its assembly for any other.
            if (string.IsNullOrEmpty(name) || name.Contains(',', StringComparison.Ordinal))
                throw new PluginRefusedException($"{file}: [VfioPlugin] names '{name}', which is not a type of this assembly");
            types.Add(name);
        }

        return types;
    }

    private static bool IsPluginAttribute(MetadataReader metadata, CustomAttribute attribute)
    {
        if (attribute.Constructor.Kind != HandleKind.MemberReference)
            return false;
        var parent = metadata.GetMemberReference((MemberReferenceHandle)attribute.Constructor).Parent;
        if (parent.Kind != HandleKind.TypeReference)
            return false;
        var type = metadata.GetTypeReference((TypeReferenceHandle)parent);
        return type.ResolutionScope.Kind == HandleKind.AssemblyReference
            && metadata.StringComparer.Equals(type.Name, AttributeName)
            && metadata.StringComparer.Equals(type.Namespace, AttributeNamespace)
            && metadata.StringComparer.Equals(
                metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope).Name, PluginContract.Assembly);
    }
}

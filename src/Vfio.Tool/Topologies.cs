using Vfio.Simulation;

namespace Vfio.Tool;

/// <summary>Reads topology files.</summary>
internal static class Topologies
{
    public static TopologyDefinition Read(FileInfo file)
    {
        try
        {
            return TopologyDefinition.Parse(File.ReadAllText(file.FullName), file.ToString());
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VfioException(
                Errno.ENOENT, $"topology {file} cannot be read: {e.Message} 'vfio topology' prints one to start from.", e);
        }
    }
}

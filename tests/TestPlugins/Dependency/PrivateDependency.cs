namespace Vfio.TestPlugins;

public static class PrivateDependency
{
    public static string Greeting => "from a dependency of its own";
}
